"""A family for tests: a Gaussian a pixel, its means fitted in a first phase and its spreads in a second."""

from pydantic import Field

from mnistgan.families.contract import CommonRecipe, Family, Parts, Phase, Scalar


class Recipe(CommonRecipe):
    jitter: float = Field(ge=0, le=1, description="spread of the noise that images get")


class Toy(Family[Recipe]):
    recipe = Recipe
    scalars = (Scalar("surprise", "nats", "surprise a pixel"), Scalar("spread", "grey", "mean spread"))
    latent_size = 784

    def build_sampled(self, spec, seed, *, plain=False):
        import keras

        pixel = {"bias_axes": "i", "kernel_initializer": "ones", "activation": "hard_tanh", "name": "pixel"}
        layers = [keras.layers.EinsumDense("bi,i->bi", (784,), **pixel), keras.layers.Reshape((28, 28, 1))]
        return keras.Sequential([keras.Input((784,)), *layers])

    def build(self, recipe, spec, seed):
        import tensorflow as tf

        from mnistgan.nn.adam import Adam

        network = self.build_sampled(spec, seed)
        spread, mean = (variable.value for variable in network.trainable_variables)
        fitted = {"mean": mean, "spread": spread}
        return Parts(
            networks={"gaussian": network},
            sampled="gaussian",
            optimizers={name: Adam([pixels], recipe.beta_1, recipe.beta_2) for name, pixels in fitted.items()},
            variables={"jitter": [tf.Variable(recipe.jitter)], "seen": [tf.Variable(0, dtype=tf.int64)]},
        )

    def phases(self, recipe):
        rest = Phase(recipe.epochs - 1, 2 * recipe.batch_size, recipe.learning_rate)
        return Phase(1, recipe.batch_size, recipe.learning_rate), rest

    def step(self, parts, batch, at, draw):
        import tensorflow as tf

        (mean,), (spread,) = (adam.variables for adam in parts.optimizers.values())
        noise = parts.variables["jitter"][0] * tf.random.stateless_normal(tf.shape(batch.images), draw(0), alg="philox")
        with tf.GradientTape() as tape:
            far = (tf.reshape(batch.images + noise, [-1, 784]) - mean) / spread
            surprise = tf.reduce_mean(far**2 / 2 + tf.math.log(tf.abs(spread)))
        adam = parts.optimizers["spread" if at.phase else "mean"]
        adam.apply(tape.gradient(surprise, adam.variables), at.step - at.first, at.rate)
        parts.variables["seen"][0].assign_add(tf.shape(far, tf.int64)[0])
        return tf.stack([surprise, tf.reduce_mean(tf.abs(spread))])


family = Toy()
