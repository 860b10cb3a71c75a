"""What is taken of trl.experimental, without its notice that it may change.

To the notice errata's answer is a ceiling on TRL's version, and check_hooks before each of these trainers is made.
"""

from __future__ import annotations

import warnings

from trl.import_utils import TRLExperimentalWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TRLExperimentalWarning)
    from trl.experimental.gkd import GKDConfig, GKDTrainer
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer
    from trl.experimental.sdft.teacher_sync import SyncTeacherModelCallback
    from trl.experimental.utils import DataCollatorForChatML

__all__ = (
    "DataCollatorForChatML",
    "GKDConfig",
    "GKDTrainer",
    "SDFTConfig",
    "SDFTTrainer",
    "SyncTeacherModelCallback",
)
