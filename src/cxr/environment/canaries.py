"""Decoder canaries: tiny images whose decoded pixels show when a library decodes differently.

A new libjpeg has changed the pixels that everyone decodes without a word. Here a handful of tiny
images, kept as text, are decoded and resized as training does it; the digests of their pixels go
into the environment's capture, and an expected digest that is not met is named.
"""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Final

from cxr.digests.canonical import PREFIX

_FILES: Final[dict[str, str]] = {
    "jpeg_grey": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV00smF1_cBL1_cHO2L=cV5DE$j2?`Vr4-"
        "60&6c`v66c!d59VH(c8zUSR79cDjBPJ&)Dk&KsEif%8FeNA{DF46!3kU!h02l!Q5di<h03QGV0R;g80RaI400000"
        "000000RjUA1qKHQ2?`7U!~nGr00IF60|EpC1qB2I0004f0RjU61Q7)iAu&M)6H#FYB5@QlfsvsIBSNvk6;jdgBr{"
        "@if(Z&17Z@2DB_<~*DJnEIHa9pqIzvQ7Mn_0VN>fx-"
        "R##YAT4Q8oW@l(=YIAgTc6WGrdV_?8hKGoWijtF*m6n&7nVO=bq@|{(sHv*5v$VCgx45~w!o$SH#>dFX%F@%+)z;"
        "V8+1laa<K*S$=jiF`@$&QZ_4fDp`TGCb00;pA002J#<8)63&*2#j#QcF<9u@ePZ)@UYfspXn&3z@L-"
        "Y<yll4yEjzIX8_i!7cnmvRg@6p;8kPa06yql|3(+pF7t30_BiqqD$ri^X_$iSX_Z6wVT6I9_YjbX^iDEZ4%#{-"
        "+yrTtANdRdMiI<Z0Sh&a(19oqzw?"
    ),
    "jpeg_colour_420": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV00smF1_cBL1_cHO2L=cV5DE$j2?`Vr4-"
        "60&6c`v66c!d59VH(c8zUSR79cDjBPJ&)Dk&KsEif%8FeNA{DF534LjeZ|2MP!Z6AB6wC>j<TC@3f>C@3f>C@3f>"
        "C@3f>C@3f>C@3f>C@3f>C@3f>C@3f>C@3f>C@3f>C@3f>C@BBH01*fP7yuXp0U`hb5di}c0sq7R9{>OW1pxs80Ra"
        "I300000000010s{mE1_uZU3Jd?l0JRVR0s#X90t5pE1q1{D00Dgg0s{a95d{(<F+m0sQDFxnaTGFvk)a49Lb1UWQ"
        "qk}vGh%Xr2?`b$7#SKRCMPH<Dl|1VH#j*uLqtVJM@UIZQ&d$}S6EqEV`OD!XJ~0^b98lfcX)YvgM@{Khlq)al9QB"
        "`mY0~BnxdnmrKYE-sj9NGw6(UkxVgH*!^FkL$H>Xb($mz{*4NnC+Tr5k<mKk)=;`Y5^7Hid_V@Vt`v1fL9{~UZ0R"
        "aI40RaI40RR91000010s{mE1_uZU3Jd?l0JRYS0s#U91Oo&I1q1{D0Rndb0RjUN1O*{61`<J02Vrp&A~Jyp6he`q"
        "vB3!=Gg9ysVsg<679=#`CGi&+85$-hC@Cs6Ha9pqIzvQ7Mn_0VN>fx-"
        "R##YAT4Q8oW@l(=YIAgTc6WGrdV+(5g@%WSiHeewl$Dm3n3<ZQqok##r>Lo_va__cwzs&sy28W6#m2|T$;#5x)Ya"
        "D4*xB0R<K*S$=jiF`^7Hid_V@Vt`v2Mh3<CiG0ucid06zfq?-lB?=oaQl4_e~1e-"
        "kCnswWC|lU00qe)_Zupq2phR=hcX;p<%~V3er41M#e>VCiL%_ciCy%cYM$8I?w@NJ96OH_dLRVSjMCkylgFisu%2"
        "WjV7Xr?nO3Vl%AM1ySMfk>-SUcDd!_ctZ)BR+chV<4w!#$?CmMf5I`1R!2#XYT~?0q<x3P%wuzn-"
        "6*1!JVi<83oeuW)|wx;)yi;?&AqH(xt)(#_<p{2pO)l-MHE-iW)&rY#7cz?BDP21Ty2A-v#RMXr~la"
    ),
    "jpeg_progressive": (
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01XKW3knDg3knMk4h;_zAQcl55)&sJ9v2`kDKRiEDJ?8BI!Zn>HbyrrEkI"
        "X6ModmpQ&KWMT47pHU`kO^PyfOI3kU!h02l!Q5di<h02lxP00RL400000000000000500RUD|Jncu0RaF200GB$L"
        "Ih-"
        "0F@OKW02~ki0s;a90000000000000010|Ep96A=<2|Jncu0RaF31p<Ofv35XYPQb>D(;l?XFokg3ggkRiBmcwz8x"
        "Q~i1Oos700000000000000G5fdQ+0uuk)00;pA00ut-"
        "e2kVzQbcp9|HJ?p5C8%L0RR9100000000000003IAyE+j+5iXv0RRC%A!EWT#6!5KkeP!>VjgC}KmXbQ2mt{A000"
        "oQfB(b)8xR2j00RI60000000000000315g{=_QDOhu00;pA00BP`lp90X57#FE!+5dW$dg0`T|yVl)W!eV"
    ),
    "png_grey": (
        "iBL{Q4GJ0x0000DNk~Le0000O0000O2mk;80L2_)Bme*but`KgRCwA2!P|1vFc1LHU1@c(V>QhUCNO=YFZ}=Cba<"
        "mM%#aY<wJhth%Q*<DJAQq6Ia)wHe7b&lro6<&LPXYR1>8V5=Ta)LfC8aFuCq#-"
        "Fe{8Pddq?eg|6E6gW<$ELoZ~p*P;vxy`nPC)g{fbc1y#y-&rzR=sOFyTGDuXWH(o7+iCB-"
        "0s7X;_A#aS_<M_XQ<lK(ly^d>nipQN)mjRy%QOyaMIs=jwARMBKD15;hpkoy1fZ>z2HFooA**iRX%G<spqX24$_^"
        "$JMr}QTFf#y6BDGXBR%?Z=336i*L5jjPmkPccJft~pX{&+=G)c>GE&8zA9q_TlwH=D~05o!4$0^x%@<%K@|I3%65"
        "rF1aK5qBuyKI9VAwFcz0syqOvMwKyvydmJp_RNP03ZR>KG;5ZC1S#{cv}8w1Ttc5cY*%8hsCJ#>qYwc?Pq23sEC~"
        "JhG!lPUJhFvAMY_Td1d;i!`>tFWS&kz-QV7S{CYGpWW)LM*{5kr^(kDvdr!aLZjF>8+l9TS1O>qL5KNix83>iq#("
        "7_qFarTN&D#d>AB4aNS2De^`~Uy|07*qoM6N<$f&"
    ),
}

_RESIZED_PX: Final = 11

EXPECTED: Final[dict[str, str]] = {
    "jpeg_grey": "sha256:adf0a155826bcb7a3b58b7ee997dc484f17df8b77f0a1facdcbcf4d7bc2275ce",
    "jpeg_colour_420": "sha256:637eb5c712f0ae0f654e0be2e757d5ba94ac6065916a1b95c4d4c579758c3b0c",
    "jpeg_progressive": "sha256:9dbc57352f6392b4008d93d35866c2fe2b8d1d613cc12bf318c63ebe723c1758",
    "png_grey": "sha256:4d8fc6ae653b0f36c21e9bfadebea8ca9e10d39f7949c5bd7cab59690d872dfc",
}
"""Digests that Pillow with libjpeg-turbo's integer transform gives."""


def read_canary_files() -> dict[str, bytes]:
    """Return the bytes of every canary's file, by its name."""
    return {name: base64.b85decode(text) for name, text in _FILES.items()}


def read_canaries() -> dict[str, str]:
    """Decode and resize every canary.

    Returns:
        By name, ``sha256:<hex>`` of the decoded and of the resized uint8 pixels; an error's class
        where a canary cannot be decoded at all.
    """
    from PIL import Image

    found: dict[str, str] = {}
    for name, content in read_canary_files().items():
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                size = (_RESIZED_PX, _RESIZED_PX)
                resized = image.resize(size, Image.Resampling.BILINEAR)
                pixels = image.tobytes() + resized.tobytes()
                pixels += image.convert("L").resize(size, Image.Resampling.BICUBIC).tobytes()
                found[name] = PREFIX + hashlib.sha256(pixels).hexdigest()
        except (OSError, ValueError) as error:
            found[name] = type(error).__name__
    return found


def find_changed_canaries(found: dict[str, str]) -> list[str]:
    """Return the names of canaries that do not decode to the expected pixels."""
    return [name for name, digest in EXPECTED.items() if found.get(name) != digest]
