"""The visible checks of this homework, which the grey cells below your answers run."""
