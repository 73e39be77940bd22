"""The demo: real flights, a real model in a real MLflow, and a fault to be found."""
