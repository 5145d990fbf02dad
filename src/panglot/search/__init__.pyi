from .index import Index as Index
from .look_up import Options as Options
from .look_up import Result as Result
from .mine import Mined as Mined
from .mine import mine_negatives as mine_negatives
