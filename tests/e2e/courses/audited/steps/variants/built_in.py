# %%
total = sum

# %%
largest = max


# %%
def sign(x):
    return -1 if x < 0 else 1
