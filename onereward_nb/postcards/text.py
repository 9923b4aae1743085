"""The small models' tokenizers: whole words outside quotation marks, single letters inside."""

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from .scenes import COLOURS, GROUNDS, KINDS, LETTERS

MAX_LENGTH = 32
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
# Words that captions of training pictures use, then words that no training caption has.
CAPTION_WORDS = (
    *KINDS,
    *COLOURS,
    *GROUNDS,
    *("a", "an", "and", "the", "on", "at", "by", "day", "sunset", "night", "dawn", "sky", "words"),
    *("blurry", "low", "quality"),
)
UNSEEN_WORDS = ("remove", "high", "definition", "perfect", "composition", "nsfw")
INSIDE_QUOTES = r'(?=[^"]*"(?:[^"]*"[^"]*")*[^"]*$)'  # an odd number of quotation marks follows
OUTSIDE_QUOTES = r'(?=(?:[^"]*"[^"]*")*[^"]*$)'


def make_tokenizer(with_bos):
    """A word-level tokenizer with letters for what stands in quotation marks.

    `a red sign "HI"` becomes a, red, sign, ", H, I, ", <eos>: capitals in quotation marks whatever the
    reader typed, small letters elsewhere. with_bos puts a <bos> first, as CLIP's tokenizer does.
    """
    vocabulary = {
        token: i for i, token in enumerate((*SPECIAL, '"', ",", "-", *LETTERS, *CAPTION_WORDS, *UNSEEN_WORDS))
    }
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex("[“”„«»]"), '"')]
        + [normalizers.Replace(Regex(letter.lower() + INSIDE_QUOTES), letter) for letter in LETTERS]
        + [normalizers.Replace(Regex(letter + OUTSIDE_QUOTES), letter.lower()) for letter in LETTERS]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[a-z]+|[A-Z]|[^\sa-zA-Z]|\s+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [tokenizer.pre_tokenizer, pre_tokenizers.WhitespaceSplit()]
    )
    template = "<bos> $A <eos>" if with_bos else "$A <eos>"
    ends = [(token, vocabulary[token]) for token in ("<bos>", "<eos>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )
