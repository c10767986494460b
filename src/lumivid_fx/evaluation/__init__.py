"""How close a result is to the light that was there: metrics, and the table on maps held out."""
