"""What a formula's branches mean at one point, shared by every pointwise evaluator."""


class Branches:
    """The members of the namespace `m` that choose; an evaluator adds those that compute.

    At a kink the condition decides, and with it the derivative: `maximum(a, b)` is `a` where both
    agree, and `abs(x)` is `x` at zero. The branch not taken may be anything, not-a-number included.
    """

    def where(self, condition, a, b):
        """`a` if the condition holds, else `b`."""
        return a if condition else b

    def maximum(self, a, b):
        """The larger of both."""
        return a if a >= b else b

    def minimum(self, a, b):
        """The smaller of both."""
        return a if a <= b else b

    def abs(self, x):
        """The magnitude."""
        return x if x >= 0 else -x

    def sign(self, x):
        """-1, 0 or 1: a constant, whose derivative is zero."""
        return int(x > 0) - int(x < 0)
