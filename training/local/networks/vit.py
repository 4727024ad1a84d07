"""Vision transformers with patches of 16 pixels, with timm's layer names: Dosovitskiy et al. 2020, arXiv:2010.11929.

The small one: Touvron et al. 2020, arXiv:2012.12877. The class token is judged; nothing is dropped while training.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from training.model_rules import PATCH

EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a transformer is: values a token, blocks, heads of attention in each."""

    width: int
    depth: int
    heads: int


class PatchEmbedding(nn.Module):
    """Every patch of the picture as a token."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__()
        self.shape = (-1, width, patches)
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens [N,patches,width] of x [N,3,H,W], row by row."""
        return cast(Tensor, self.proj(x)).reshape(self.shape).transpose(1, 2)


class Attention(nn.Module):
    """Every token looks at all tokens. How many there are is fixed, which keeps the exported graph plain."""

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.parts = (-1, tokens, 3, heads, width // heads)
        self.joined = (-1, tokens, width)
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens [N,T,width] of tokens [N,T,width]."""
        query, key, value = self.qkv(x).reshape(self.parts).permute(2, 0, 3, 1, 4).unbind(0)
        seen = scaled_dot_product_attention(query, key, value, scale=self.scale)
        return cast(Tensor, self.proj(seen.transpose(1, 2).reshape(self.joined)))


class Mlp(nn.Module):
    """Two layers on each token alone, four times as wide in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens [N,T,width] of tokens [N,T,width]."""
        return cast(Tensor, self.fc2(self.act(self.fc1(x))))


class Block(nn.Module):
    """Attention, then the two layers; each normed before and added to what it was given."""

    def __init__(self, shape: Shape, tokens: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, eps=EPSILON)
        self.attn = Attention(shape.width, shape.heads, tokens)
        self.norm2 = nn.LayerNorm(shape.width, eps=EPSILON)
        self.mlp = Mlp(shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens [N,T,width] of tokens [N,T,width]."""
        x = x + self.attn(self.norm1(x))
        return cast(Tensor, x + self.mlp(self.norm2(x)))


class VisionTransformer(nn.Module):
    """Input float32 [N,3,side,side], output logits [N,classes]. ``side`` in pixels, a multiple of 16."""

    def __init__(self, shape: Shape, classes: int, side: int) -> None:
        super().__init__()
        patches = (side // PATCH) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + patches, shape.width))
        self.patch_embed = PatchEmbedding(shape.width, patches)
        self.blocks = nn.Sequential(*(Block(shape, 1 + patches) for _ in range(shape.depth)))
        self.norm = nn.LayerNorm(shape.width, eps=EPSILON)
        self.head = nn.Linear(shape.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N,classes] of x [N,3,side,side]."""
        tokens = self.patch_embed(x)
        tokens = torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], 1) + self.pos_embed
        return cast(Tensor, self.head(self.norm(self.blocks(tokens))[:, 0]))

    def layers(self) -> list[nn.Module]:
        """Return the layers that ``layers_to_freeze`` counts, from the input: the tokens' embedding, and the blocks."""
        embedding = nn.ParameterList([self.cls_token, self.pos_embed, *self.patch_embed.parameters()])
        return [embedding, *self.blocks]

    def initialise(self) -> None:
        """Begin as timm does: small normal weights, each token's place told apart (arXiv:2012.12877)."""
        nn.init.normal_(self.cls_token, std=EPSILON)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)


def resized_positions(positions: Tensor, patches: int) -> Tensor:
    """Return positions [1,1+n,width] for a square grid of another number of patches, as timm resizes them (bicubic).

    Raises:
        ValueError: they are not those of one class token and a square grid.
    """
    token, grid = positions[:, :1], positions[:, 1:]
    side, wanted = round(grid.shape[1] ** 0.5), round(patches**0.5)
    if side * side != grid.shape[1]:
        raise ValueError(f"{grid.shape[1]} positions are no square grid")
    if side == wanted:
        return positions
    square = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2).float()
    resized = interpolate(square, (wanted, wanted), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([token, resized.flatten(2).transpose(1, 2).to(grid.dtype)], 1)
