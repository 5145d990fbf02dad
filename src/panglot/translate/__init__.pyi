from .models import Translator as Translator
from .models import load_translator as load_translator
from .texts import Bounds as Bounds
from .texts import problem_of as problem_of
from .texts import translate_texts as translate_texts
from .translate import FIELDS as FIELDS
from .translate import Translation as Translation
from .translate import translate_pairs as translate_pairs
