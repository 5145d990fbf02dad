from .index import Index as Index
from .mine import Mined as Mined
from .mine import mine_negatives as mine_negatives
