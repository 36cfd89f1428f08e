"""The article's networks and losses in PyTorch, channels-last; for an interpreter that has PyTorch and NumPy alone.

One forward pass serves both updates, as in the article's two tapes. Adam is PyTorch's fused one.
"""

import argparse

import torch
from torch import nn
from torch.nn import functional

from benchmarks.alternating import IMAGES_A_ROUND, hold_to, serve
from benchmarks.mnist import training_images

LATENT_SIZE = 100
LEARNING_RATE = 1e-4
SLOPE = 0.3
KERAS_NORM = {"eps": 1e-3, "momentum": 0.01}  # PyTorch's momentum is one minus Keras's


class Generator(nn.Module):
    """Latents [N, 100] -> images [N, 1, 28, 28] in [-1, 1]; 2,330,944 weights, BatchNorm's statistics counted."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(LATENT_SIZE, 7 * 7 * 256, bias=False)
        self.dense_norm = nn.BatchNorm1d(7 * 7 * 256, **KERAS_NORM)
        self.conv7 = nn.ConvTranspose2d(256, 128, 5, padding=2, bias=False)
        self.conv7_norm = nn.BatchNorm2d(128, **KERAS_NORM)
        self.conv14 = nn.ConvTranspose2d(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False)
        self.conv14_norm = nn.BatchNorm2d(64, **KERAS_NORM)
        self.conv28 = nn.ConvTranspose2d(64, 1, 5, stride=2, padding=2, output_padding=1, bias=False)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Draw."""
        x = functional.leaky_relu(self.dense_norm(self.dense(latents)), SLOPE)
        x = x.view(-1, 256, 7, 7).contiguous(memory_format=torch.channels_last)
        x = functional.leaky_relu(self.conv7_norm(self.conv7(x)), SLOPE)
        x = functional.leaky_relu(self.conv14_norm(self.conv14(x)), SLOPE)
        return torch.tanh(self.conv28(x))


class Discriminator(nn.Module):
    """Images [N, 1, 28, 28] -> logits [N, 1]; 212,865 weights."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.conv14 = nn.Conv2d(1, 64, 5, stride=2, padding=2)
        self.conv7 = nn.Conv2d(64, 128, 5, stride=2, padding=2)
        self.dense = nn.Linear(7 * 7 * 128, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Judge."""
        x = self.dropout(functional.leaky_relu(self.conv14(images), SLOPE))
        x = self.dropout(functional.leaky_relu(self.conv7(x), SLOPE))
        return self.dense(x.flatten(1))


def weights_in(network: nn.Module) -> int:
    """Weights and BatchNorm's statistics, counted as Keras counts them."""
    held = [*network.parameters(), *(buffer for buffer in network.buffers() if buffer.dtype.is_floating_point)]
    return sum(tensor.numel() for tensor in held)


class PyTorchLoop:
    """Both networks, their optimizers, and a step on a batch."""

    def __init__(self) -> None:
        self.generator = Generator().to(memory_format=torch.channels_last)
        self.discriminator = Discriminator().to(memory_format=torch.channels_last)
        self.adams = [
            torch.optim.Adam(network.parameters(), LEARNING_RATE, (0.9, 0.999), eps=1e-7, fused=True)
            for network in (self.generator, self.discriminator)
        ]

    def update(self, images: torch.Tensor) -> None:
        """One step on images [B, 1, 28, 28] in [-1, 1]."""
        drawn = self.generator(torch.randn(len(images), LATENT_SIZE))
        real, fake = self.discriminator(images), self.discriminator(drawn)
        entropy = functional.binary_cross_entropy_with_logits
        generator_loss = entropy(fake, torch.ones_like(fake))
        discriminator_loss = entropy(real, torch.ones_like(real)) + entropy(fake, torch.zeros_like(fake))
        losses = (generator_loss, discriminator_loss)
        parameters = [list(network.parameters()) for network in (self.generator, self.discriminator)]
        gradients = [
            torch.autograd.grad(loss, own, retain_graph=True) for loss, own in zip(losses, parameters, strict=True)
        ]
        for adam, own, its in zip(self.adams, parameters, gradients, strict=True):
            for parameter, gradient in zip(own, its, strict=True):
                parameter.grad = gradient
            adam.step()


def main() -> None:
    """Serves rounds of the loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    hold_to(options.threads)
    torch.set_num_threads(options.threads)
    for network, expected in ((Generator(), 2_330_944), (Discriminator(), 212_865)):
        if weights_in(network) != expected:
            raise SystemExit(f"{type(network).__name__} has {weights_in(network):,} weights; should be {expected:,}")
    images = torch.from_numpy(training_images().images)[:, None]
    size: int = options.batch_size
    loop = PyTorchLoop()
    order, place = torch.randperm(len(images)), 0
    steps = max(1, IMAGES_A_ROUND // size)

    def run() -> int:
        nonlocal order, place
        for _ in range(steps):
            if place + size > len(images):
                order, place = torch.randperm(len(images)), 0
            batch = images[order[place : place + size]].float().sub_(127.5).div_(127.5)
            loop.update(batch.contiguous(memory_format=torch.channels_last))
            place += size
        return steps * size

    serve(run)


if __name__ == "__main__":
    main()
