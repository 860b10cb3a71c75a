"""The public data sets that shipped recipes name: where each file lies, its hash, and the licence its authors state.

Addresses name a commit, so that what lies there does not change, and each hash is that of the file at that commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class PublicFile:
    """A file of a set: its place under the data folder, its address, and its sha256 and size in bytes."""

    place: str
    address: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class PublicSet:
    """A data set. `licence` is as its authors state it; `about` says what it is and where it is from."""

    name: str
    about: str
    licence: str
    files: tuple[PublicFile, ...]


_GSM8K = f"{_RAW}/openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data"
_SVAMP = f"{_RAW}/arkilpatel/SVAMP/689d7ccac74b9983a2ac7cc3b264f441b99e7c53"
_MCC_KD = f"{_RAW}/homzer/MCC-KD/86d263ecb66b0970362c9fb6a4272cfc1fb9e94a/data/SVAMP"
_BBH = f"{_RAW}/suzgunmirac/BIG-Bench-Hard/9ee07bd481feebf959a6b59d61ea57bdcf30964d/bbh"

_COMMITTEE = f"{_RAW}/zhuochunli/Learn-from-Committee/60abfafc237e35348565a723ef0169194ae1e601/data"
_STRATEGYQA = f"{_RAW}/eladsegal/strategyqa/1ba1e97452e189569357876f2854b01357ffbe37/data/strategyqa"
_AQUA = f"{_RAW}/google-deepmind/AQuA/26b64ed1f22208c6742f47df547dfd65088ec30d"
_LOGIQA = f"{_RAW}/lgw863/LogiQA-dataset/ff6c4cbca47627b3ac2da94a29fa28204a167b41"

_COMMITTEE_FILES = MappingProxyType(
    {
        "svamp_false": ("cdbe08dfa87853135a0d378fd117f628fa5fd63e3f2b3b3590d51c7a0427bb16", 172_575),
        "svamp_rationale": ("5b8eae481ded9eafce622e7ab4eaf283d9c2b9b13494561fcdc6814a91a4b8e9", 987_907),
        "svamp_feedback": ("b0b302c8d2bbcc5e9f79992aca84b400313c62a24a500a465cb694ab72d8da71", 891_951),
        "strategyQA_false": ("754be8bd368ed18611ec5c06d872f575594f1a737e7a4e6d00a9e1914b267968", 706_857),
    }
)

_BBH_TASKS = MappingProxyType(
    {
        "boolean_expressions": ("ea6c754ec005e2d3f2d085d349a740f593b5764f32ea4638ffed4cfc0061b12a", 17_172),
        "causal_judgement": ("6e8bca44dd402008ed41c07a3d0a1d5e7b03db7001a7e002fcdf4c60985ea081", 202_943),
        "date_understanding": ("0148d4ac5fca05b2f82373e5fef7208e15363b9c6079493034d77b3dab496bf5", 61_760),
        "disambiguation_qa": ("cf06df9ebf911b883671cb1b35d3fbd1a1c306b19b9e9a012407e596c85fe8c6", 85_255),
        "dyck_languages": ("3f9badedf15c2be1ce53d94fdf016299bb30ba231ef087ab9f51a7ed6d0bdc25", 43_814),
        "formal_fallacies": ("4c1adb664821157faade1d4153685403afcc02648f3c180a608a18f17f589629", 145_562),
        "geometric_shapes": ("07be68a124420caa2ebc0b2c858ad79fc55c5c8806170e496e1e17ebfb11f31c", 77_242),
        "hyperbaton": ("b6d7f55c75f5d02f2987a4f3123802dfa093872089a56a334144aae8a7264fdc", 44_706),
        "logical_deduction_five_objects": ("d2df31394b903b7f0e085d42a69572a092987856eac076799017d70ef266fa8f", 155_477),
        "logical_deduction_seven_objects": (
            "2896c7e3482eea318dd37bcc370d24ec3cc91e8374c1784287b5dbd38a529e33",
            198_404,
        ),
        "logical_deduction_three_objects": (
            "e590fae72e3a6041fbd23bd8ff6b74baf44ca563f6ba40a041c55e7b867c1681",
            112_213,
        ),
        "movie_recommendation": ("a8b53a87ee21a865b7248e694f388a9b8f7cf6b839b11d44796a2dd3fc088983", 57_684),
        "multistep_arithmetic_two": ("c9d5a6433c9b78256422a15c78463949c8bec8d85607aa28b52d7234ad4a8595", 18_325),
        "navigate": ("b7944dfd3c81da5c4815bd75b00d6fa3c64140823498e78ed496f4c3d36f7f0d", 55_163),
        "object_counting": ("8acef14dbbdd40d2326ef7755750b6b5fe919fef06276af1bab3f1c297f022ff", 35_890),
        "penguins_in_a_table": ("bb87ee449698eee51215e025a453b1bcb2f5e6589c2063b2c79e68b8f0655228", 74_516),
        "reasoning_about_colored_objects": ("0a8850cf95166020fce7a78244026ceedd7ea839302471512b4f8744e85a6a49", 98_694),
        "ruin_names": ("b6f723aef2bafdd4c7bfc3c7e0329c7e8a8279391a609969c8ed76c9319f5f7f", 53_178),
        "salient_translation_error_detection": (
            "becf3eb8dd53c821a555ecd5c1334ecd93eb25f980e63be963c518e7138de5da",
            286_443,
        ),
        "snarks": ("54a0661fe2de06167645a4965e6bcf963c4ba307e76262a7c750998b0e3d0d0e", 42_646),
        "sports_understanding": ("63ca262858f6176864515cd8cf53cdaa40839ebecc155b726d77930855d167bf", 28_617),
        "temporal_sequences": ("92a1189faaa84aacc4c405aaa13f13f48c2992eb884772eedb622505252baef5", 148_176),
        "tracking_shuffled_objects_five_objects": (
            "2063a46a4fb484236ed4310523606543a3e1dd4a4dc34eda65d407910ece25a5",
            169_722,
        ),
        "tracking_shuffled_objects_seven_objects": (
            "b59fd05b850c37cf57cb514ae1e6975c00b1638ade2291722056b2af3c54084d",
            214_906,
        ),
        "tracking_shuffled_objects_three_objects": (
            "546cc7bf10c6a01a6a4c17ae28a4966485f21f29fd5d111f37858ec78e354f6b",
            128_736,
        ),
        "web_of_lies": ("3e60323f8514a107fdb4edf35f8832a9171c5a09c0eaa47823559de905e8ab8b", 52_964),
        "word_sorting": ("2a6132d2c99f00d0d2eb1113ac6b4a918bd969d863c48749210d969713db8d43", 66_300),
    }
)

SETS: tuple[PublicSet, ...] = (
    PublicSet(
        "gsm8k",
        "grade-school word problems with worked solutions, arXiv 2110.14168",
        "MIT",
        (
            PublicFile(
                "gsm8k/train.jsonl",
                f"{_GSM8K}/train.jsonl",
                "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
                4_166_206,
            ),
            PublicFile(
                "gsm8k/test.jsonl",
                f"{_GSM8K}/test.jsonl",
                "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
                749_738,
            ),
        ),
    ),
    PublicSet(
        "svamp",
        "one-step word problems, arXiv 2103.07191",
        "MIT",
        (
            PublicFile(
                "svamp/SVAMP.json",
                f"{_SVAMP}/SVAMP.json",
                "5be77703a6d891ae476d7c082787ad361392aa02453b132516cdd5f4e7934e3e",
                339_970,
            ),
        ),
    ),
    PublicSet(
        "mcc_kd",
        "SVAMP's training problems with ten sampled rationales each, arXiv 2310.14747",
        "none stated: read it, never hand it on",
        (
            PublicFile(
                "mcc_kd/SVAMP/train.json",
                f"{_MCC_KD}/train.json",
                "39a12f47c1323aa7196529fb5720f4a9103c7c628e8b39aadc68ad8b6986c7c5",
                2_970_925,
            ),
        ),
    ),
    PublicSet(
        "bbh",
        "BIG-Bench Hard, 27 tasks, arXiv 2210.09261",
        "MIT",
        tuple(
            PublicFile(f"bbh/{task}.json", f"{_BBH}/{task}.json", sha256, size)
            for task, (sha256, size) in _BBH_TASKS.items()
        ),
    ),
    PublicSet(
        "learn_from_committee",
        "a student's mistakes, three teachers' rationales and their peers' scores, arXiv 2410.03663",
        "MIT",
        tuple(
            PublicFile(f"learn_from_committee/{name}", f"{_COMMITTEE}/{name}", sha256, size)
            for part, (sha256, size) in _COMMITTEE_FILES.items()
            for name in [f"Llama-2-7b-chat-hf_{part}_round0.json"]
        ),
    ),
    PublicSet(
        "strategyqa",
        "yes or no with implicit steps, arXiv 2101.02235",
        "MIT",
        (
            PublicFile(
                "strategyqa/train.json",
                f"{_STRATEGYQA}/train.json",
                "0f72560b8a6fad3db847d2f1a7524fb087297843bb45a8d3245ffd68cbe0de12",
                3_857_762,
            ),
            PublicFile(
                "strategyqa/dev.json",
                f"{_STRATEGYQA}/dev.json",
                "0d94842ffb022db8fd5ecd2168b785d5cf67f6faf64f665476bad544a3eb9dde",
                424_195,
            ),
        ),
    ),
    PublicSet(
        "aqua",
        "algebra with five choices, arXiv 1705.04146",
        "Apache-2.0",
        (
            PublicFile(
                "aqua/dev.json",
                f"{_AQUA}/dev.json",
                "4a52301d8a49ae0b286f8e697f9c5da1b109b247b825b47b4c6de34312dceec5",
                132_008,
            ),
            PublicFile(
                "aqua/test.json",
                f"{_AQUA}/test.json",
                "de41581881ef95c5588c44ddc701c77fd480839241dd422a0d181262af24520c",
                130_192,
            ),
        ),
    ),
    PublicSet(
        "logiqa",
        "logic with four choices, arXiv 2007.08124",
        "none stated: read it, never hand it on",
        (
            PublicFile(
                "logiqa/Eval.txt",
                f"{_LOGIQA}/Eval.txt",
                "4c49e6753b7262c001506b9151135abf722247035ab075dad93acdea5789c01f",
                550_021,
            ),
            PublicFile(
                "logiqa/Test.txt",
                f"{_LOGIQA}/Test.txt",
                "359acb78c37802208f7fde9e2f6574b8526527c63d6a336f90a53f1932cb4701",
                559_060,
            ),
        ),
    ),
)
