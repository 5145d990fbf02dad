from .exact import Hit as Hit
from .exact import search as search
from .index import Index as Index
from .mine import mine_negatives as mine_negatives
from .mined import Mined as Mined
