"""The kinds of faults that are put into a solution, each under the name that stands in the ids of its mutants.

An operator looks at one node and says what a slip of its kind would write there. Mutants are made of all of them
(`mutants`); most make code wrong, some by chance do not: those are what `[[audit.equivalent]]` is for.
Not covered: faults that take more than one place, such as a formula remembered wrongly throughout.
"""

from harness.audit.operators import calls, expressions, flow, numbers, tensors
from harness.audit.operators.registry import OPERATORS, Operator

__all__ = ["OPERATORS", "Operator", "calls", "expressions", "flow", "numbers", "tensors"]
