"""Client of a Mortise server. Standard library only.

    from mortise import DatasetHub, MultiModalConfig, MultiModalTrainer
"""

from .errors import MortiseError
from .hub import DatasetHub
from .server import Server
from .trainer import MultiModalConfig, MultiModalTrainer, TrainingResult

__all__ = ["DatasetHub", "MortiseError", "MultiModalConfig", "MultiModalTrainer", "Server",
           "TrainingResult"]
