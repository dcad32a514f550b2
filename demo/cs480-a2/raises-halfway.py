# The cell of the CNN stops with an exception; everything before and after it is fine.
# base: perfect
# loses: q3_2-network q3_2-accuracy q3_3-table-check

# %% q3_2-cnn
class CNN(nn.Module):
    conv = nn.Conv2D(1, 16, 5)
