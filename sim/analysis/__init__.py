"""Estimators with intervals: pure functions on arrays and on the saved tables of a run.

Nothing here simulates, reads or writes files, or draws. One module per question:

- ``intervals``: how far can a share, a mean, a quantile or a difference be trusted?
- ``reached``: by when is a goal reached, with runs that never get there counted as such?
- ``summary``: goals and metrics of a study in one JSON-safe dictionary;
- ``time_use``: where does a hub's time go?
- ``systems``, ``waterfall``: what is claimed of each system, and where does it go?
- ``national``: how does the country's figure scatter about its trend?
- ``scores``: how well did a run forecast what was observed?
- ``goals``, ``tables``: what is read from the configuration and from the tables;
- ``words``: probabilities, dates and quantities as planners say them.
"""
