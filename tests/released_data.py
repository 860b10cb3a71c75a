"""The released data sets that tests read where $ERRATA_DATA holds them."""

import os
from pathlib import Path

DATA = Path(os.environ.get("ERRATA_DATA", "data"))


FILES = [
    ("gsm8k/train.jsonl", "gsm8k"),
    ("gsm8k/test.jsonl", "gsm8k"),
    ("svamp/SVAMP.json", "svamp"),
    ("multiarith/MultiArith.json", "multiarith"),
    ("aqua/dev.json", "aqua"),
    ("aqua/test.json", "aqua"),
    ("commonsenseqa/train_rand_split.jsonl", "commonsenseqa"),
    ("commonsenseqa/dev_rand_split.jsonl", "commonsenseqa"),
    ("strategyqa/train.json", "strategyqa"),
    ("strategyqa/dev.json", "strategyqa"),
    ("logiqa/Eval.txt", "logiqa"),
    ("logiqa/Test.txt", "logiqa"),
    ("bbh/*.json", "bbh"),
    ("tdg/gpt35_math.jsonl", "tdg_math"),
    ("tdg/gpt4_math.jsonl", "tdg_math"),
    ("mcc_kd/SVAMP/train.json", "mcc_kd_svamp"),
    ("learn_from_committee/*svamp*.json", "committee_svamp"),
    ("learn_from_committee/*strategyQA*.json", "committee_strategyqa"),
]
