"""The independent judge of accuracy: what an activation's definition says, and how far a result is.

`evaluate` gives exact values and derivatives of a formula from the catalogue, in ball arithmetic;
`derivative` gives them in mpmath, to check the former. `score` and the functions of `ulp` measure
results against them, on the inputs that `inputs` provides, minding the roots that `find_roots`
finds. Nothing here imports the code it judges.
"""

from .balls import Undecided
from .exact import Exact, evaluate
from .inputs import all_patterns, neighbours, stratified
from .multiprecision import MULTIPRECISION, derivative
from .roots import REACH, Root, find_roots
from .score import Score, score
from .sweep import evaluate_many
from .ulp import is_misrounded, is_normal, nearest, ulp_error

__all__ = [
    "MULTIPRECISION",
    "REACH",
    "Exact",
    "Root",
    "Score",
    "Undecided",
    "all_patterns",
    "derivative",
    "evaluate",
    "evaluate_many",
    "find_roots",
    "is_misrounded",
    "is_normal",
    "nearest",
    "neighbours",
    "score",
    "stratified",
    "ulp_error",
]
