"""A family for tests of what trains any family: two networks, BatchNorm, a plain variable; it trains in a second."""

import keras
import tensorflow as tf

from mnistgan.families.contract import CommonRecipe, Family, Parts, Scalar
from mnistgan.nn.adam import Adam


class Tiny(Family[CommonRecipe]):
    """A GAN of one dense layer a network, by least squares (Mao et al., arXiv 1611.04076); it counts what it saw."""

    recipe = CommonRecipe
    scalars = (Scalar("drawing_loss", "", "loss of what draws"), Scalar("telling_loss", "", "loss of what tells"))
    latent_size = 3

    def build_sampled(self, spec, seed, *, plain=False):
        start = keras.initializers.GlorotUniform(seed)
        layers = [keras.layers.Dense(784, use_bias=False, kernel_initializer=start, name="dense")]
        layers += [keras.layers.BatchNormalization(name="norm"), keras.layers.Reshape((28, 28, 1))]
        return keras.Sequential([keras.Input((3,)), *layers, keras.layers.Activation("tanh")], name="drawing")

    def build(self, recipe, spec, seed):
        start = keras.initializers.GlorotUniform(seed + 1)
        telling = [keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer=start, name="dense")]
        networks = {
            "drawing": self.build_sampled(spec, seed),
            "telling": keras.Sequential([keras.Input((28, 28, 1)), *telling], name="telling"),
        }
        return Parts(
            networks=networks,
            sampled="drawing",
            optimizers={
                name: Adam([weight.value for weight in network.trainable_variables], recipe.beta_1, recipe.beta_2)
                for name, network in networks.items()
            },
            variables={"seen": [tf.Variable(0, dtype=tf.int64)]},
        )

    @tf.autograph.experimental.do_not_convert
    def step(self, parts, batch, at, draw):
        drawing, telling = parts.networks.values()
        latents = tf.random.stateless_normal([tf.shape(batch.images)[0], 3], draw(0), alg="philox")
        with tf.GradientTape() as of_drawing, tf.GradientTape() as of_telling:
            drawn = telling(drawing(latents, training=True))
            to_drawing = tf.reduce_mean((drawn - 1) ** 2)
            to_telling = tf.reduce_mean((telling(batch.images) - 1) ** 2 + drawn**2)
        for tape, loss, adam in zip(
            (of_drawing, of_telling), (to_drawing, to_telling), parts.optimizers.values(), strict=True
        ):
            adam.apply(tape.gradient(loss, adam.variables), at.step, at.rate)
        parts.variables["seen"][0].assign_add(tf.shape(batch.images, tf.int64)[0])
        return tf.stack([to_drawing, to_telling])


tiny = Tiny()
