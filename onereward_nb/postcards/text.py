"""The small models' tokenizers: whole words outside quotation marks, single letters inside."""

import re

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from ..queries import NO, YES, every_query
from ..tasks import QUOTES
from .describing import NOTHING, QUESTIONS
from .scenes import COLOURS, GROUNDS, KINDS, LETTERS

MAX_LENGTH = 32
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
CHAT = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|image_pad|>", "<|video_pad|>", "<unk>"),
)
# Qwen2.5-VL's chat format, without its system message
CHAT_TEMPLATE = """\
{%- for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] -%}
{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
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
    tokenizer = words_and_letters((*SPECIAL, '"', ",", "-", *LETTERS, *CAPTION_WORDS, *UNSEEN_WORDS))
    template = "<bos> $A <eos>" if with_bos else "$A <eos>"
    ends = [(token, tokenizer.token_to_id(token)) for token in ("<bos>", "<eos>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )


def make_chat_tokenizer():
    """The reward model's tokenizer: the same words and letters, those of its questions, and Qwen2.5-VL's chat format."""
    asked = " ".join([*every_query(), *QUESTIONS.values(), NOTHING, YES, NO, "user assistant system"]).lower()
    words = dict.fromkeys((*CAPTION_WORDS, *UNSEEN_WORDS, *sorted(set(re.findall("[a-z]+", asked)))))
    return PreTrainedTokenizerFast(
        tokenizer_object=words_and_letters((*CHAT, '"', *",-.:?", *LETTERS, *words)),
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token="<unk>",
        additional_special_tokens=list(CHAT[1:-1]),
        chat_template=CHAT_TEMPLATE,
    )


def words_and_letters(tokens):
    """A tokenizer of the tokenizers library with these tokens, numbered in their order."""
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(f"[{QUOTES}]"), '"')]
        + [normalizers.Replace(Regex(letter.lower() + INSIDE_QUOTES), letter) for letter in LETTERS]
        + [normalizers.Replace(Regex(letter + OUTSIDE_QUOTES), letter.lower()) for letter in LETTERS]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[a-z]+|[A-Z]|[^\sa-zA-Z]|\s+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [tokenizer.pre_tokenizer, pre_tokenizers.WhitespaceSplit()]
    )
    return tokenizer
