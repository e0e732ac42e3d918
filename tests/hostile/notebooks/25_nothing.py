# /// expected
# threat = "The notebook defines nothing."
# status = "marked"
# checks = {double = "missing", double_hidden = "skipped", total = "missing", total_hidden = "missing", median = "missing", counter = "missing", locate = "missing"}
# ///

# %% [markdown]
# All done, see above.

# %%
print("20/20")
