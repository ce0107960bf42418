"""Modules that take the place of other packages: change one import.

:mod:`~lacuna_tda.compat.ripser` stands for ripser.py, :mod:`~lacuna_tda.compat.gph` for giotto-ph,
:mod:`~lacuna_tda.compat.gtda` for giotto-tda, :mod:`~lacuna_tda.compat.gudhi` for GUDHI and
:mod:`~lacuna_tda.compat.torch_topological` for torch_topological. What this engine does not
compute, as homology with other coefficients than Z/2, is a ValueError.
"""
