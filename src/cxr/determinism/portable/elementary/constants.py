"""Constants of the functions: the same for tensors and for Python's floats.

Each polynomial stands by rising powers. Those that are not of a published source interpolate their
function at the Chebyshev nodes of the interval, computed with 40 digits and rounded to float64;
the tests compute them anew.
"""

from __future__ import annotations

from typing import Final

LOG2_E: Final = 1.4426950408889634
"""1/ln(2)."""

LN2_HI: Final = 6.93147180369123816490e-01
"""ln(2) to 32 bits, so that its product with an integer below 2^21 is exact.

Source: fdlibm, e_exp.c."""

LN2_LO: Final = 1.90821492927058770002e-10
"""ln(2) - `LN2_HI`. Source: fdlibm, e_exp.c."""

LN2: Final = 0.6931471805599453
LN10: Final = 2.302585092994046
HALF_ROOT: Final = 0.7071067811865476
"""The square root of 1/2."""

NORMAL_DENSITY: Final = 0.3989422804014327
"""1/sqrt(2 pi)."""

LOG_SERIES: Final = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
"""ln(1 + f) = f - f^2/2 + s (f^2/2 + s^2 (c_0 + c_1 s^2 + ...)), s = f/(2 + f), for 1 + f from
sqrt(1/2) to sqrt(2); error at most 2^-58.45. Source: fdlibm, e_log.c."""

EXP_TAYLOR: Final = (
    0.5,
    0.16666666666666666,
    0.041666666666666664,
    0.008333333333333333,
    0.001388888888888889,
    0.0001984126984126984,
    2.48015873015873e-05,
    2.7557319223985893e-06,
    2.755731922398589e-07,
    2.505210838544172e-08,
    2.08767569878681e-09,
    1.6059043836821613e-10,
)
"""1/k! for k from 2 to 13: exp(r) = 1 + r + r^2 (c_0 + c_1 r + ...). For |r| <= ln(2)/2
what is left out, r^14/14! and on, is below 4.3e-18. Source: Taylor's series."""

TWO_TO_FRACTION: Final = (
    0.9999999999595618,
    0.6931471805568324,
    0.24022651213498092,
    0.055504109063258665,
    0.009618025613318034,
    0.0013333478473685416,
    0.00015469729214118296,
    1.5303700711365693e-05,
)
"""2^f for |f| <= 1/2 by powers of f; relative error at most 5.6e-11."""

NORMAL_TAIL: Final = (
    0.09973706773423234,
    0.09969254573115054,
    0.09405770168539626,
    0.07676719993077886,
    0.0852399171140299,
    -0.03411581817262776,
    0.22064231483546606,
    -0.35512345651353755,
    0.4701061221244785,
    -0.42897169905551163,
    0.23064185033192885,
    -0.06685206148831088,
    0.008178315741680311,
)
"""G(s) with Phi(-a) = exp(-a^2/2) s G(s), s = 1/(1 + a/4), for 0 <= a <= 15, by powers of s;
relative error at most 5.4e-11."""

ERFC_SCALED: Final = (
    0.2115709636870995,
    0.21157559684104496,
    0.19662270565927403,
    0.16765693326722925,
    0.12060247174529028,
    0.10246284281744622,
    -0.05442644641440579,
    0.25205399927926714,
    -0.5567899661829482,
    0.8687472998780862,
    -1.0787745536600017,
    0.9230397418714148,
    -0.49521595162279586,
    0.15107278271387392,
    -0.020198487066883593,
)
"""H(s) with erfc(z) = exp(-z^2) s H(s), s = 1/(1 + 3z/8), for 1 <= z <= 6, by powers of s; relative
error at most 1e-16."""

ERF_SMALL: Final = (
    1.1283791670955126,
    -0.37612638903183543,
    0.11283791670945006,
    -0.02686617064323777,
    0.0052239776071164225,
    -0.0008548325975389692,
    0.00012055294904839707,
    -1.492473690741966e-05,
    1.6447424703317362e-06,
    -1.6208483801871705e-07,
    1.3720064546777686e-08,
    -7.795898827002142e-10,
)
"""erf(z)/z for |z| <= 1 by powers of z^2; relative error at most 5e-17."""

HALF_PI_BITS: Final = 192
HALF_PI_SCALED: Final = 0x1921FB54442D18469898CC51701B839A252049C1114CF98E8
"""The integer part of pi/2 times 2^192."""

SIN_SERIES: Final = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
"""sin(r) = r + r^3 (c_0 + c_1 r^2 + ...) for |r| <= pi/4; error at most 2^-58.

Source: fdlibm, k_sin.c."""

COS_SERIES: Final = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
"""cos(r) = 1 - r^2/2 + r^4 (c_0 + c_1 r^2 + ...) for |r| <= pi/4; error at most 2^-58.

Source: fdlibm, k_cos.c."""
