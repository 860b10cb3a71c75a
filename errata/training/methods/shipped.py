"""The methods that are shipped, and the kinds that a combination may join."""

from __future__ import annotations

from errata.training.method import AnyMethod
from errata.training.methods.edit import EDIT
from errata.training.methods.gkd import GKD
from errata.training.methods.grpo import GRPO
from errata.training.methods.mapd import MAPD
from errata.training.methods.mcc_kd import MCC_KD
from errata.training.methods.nat import NAT
from errata.training.methods.nce import NCE
from errata.training.methods.preference import DPO, KTO
from errata.training.methods.ranker import RANKER
from errata.training.methods.redi import REDI
from errata.training.methods.sdft import SDFT
from errata.training.methods.sft import SFT
from errata.training.methods.unlearn import NT, UL

METHODS: tuple[AnyMethod, ...] = (SFT, MAPD, EDIT, MCC_KD, NAT, NCE, RANKER, REDI, DPO, KTO, GRPO, GKD, SDFT)
KINDS_OF_TERMS: tuple[AnyMethod, ...] = (SFT, MAPD, EDIT, MCC_KD, NT, UL)
