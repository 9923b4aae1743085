"""LoRA: a small addition to the transformer's weights that is trained in their place, and shipped alone."""

from functools import partial

from diffusers.training_utils import cast_training_params
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from .files import write_folder

# the projections of attention, of the picture's tokens and of the text's
TARGETS = (
    *("to_q", "to_k", "to_v", "to_out.0"),
    *("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
)


def add_lora(pipe, rank):
    """Freeze the transformer of a pipeline and add a LoRA to it, which changes nothing until it is trained.

    Its weights are float32, whatever those of the transformer are (Hu et al., arXiv 2106.09685).
    """
    pipe.transformer.requires_grad_(False)
    pipe.transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(TARGETS)))
    cast_training_params(pipe.transformer)


def save_lora(pipe, folder):
    """Write the LoRA of a pipeline as pytorch_lora_weights.safetensors: pipe.load_lora_weights(folder) opens it."""
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.transformer))
    write_folder(folder, partial(pipe.save_lora_weights, transformer_lora_layers=layers))


def load_lora(pipe, folder, name):
    """Open what `save_lora` or diffusers' training scripts wrote to a folder, as the adapter `name`."""
    pipe.load_lora_weights(folder, weight_name="pytorch_lora_weights.safetensors", adapter_name=name)
