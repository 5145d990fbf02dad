from .index import Index as Index
from .mine import mine_negatives as mine_negatives
from .mined import Mined as Mined
