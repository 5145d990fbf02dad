from .exact import Hit as Hit
from .exact import search as search
from .mine import mine_negatives as mine_negatives
from .mined import Mined as Mined
