"""The whole program ``lacuna``, with training and pruning: ``lacuna_program`` finds it here."""
