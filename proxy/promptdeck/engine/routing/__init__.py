"""Requests whose model names an upstream, or several models: the way that chooses among ways.

way       the `Way` of an exchange: what is no choice goes straight on
trip      one request's: model after model, until one answers
attempt   one model asked once: its answer held back until it has content
breakers  models that fail are not asked for a while
waiting   when and how often a model is asked again
"""
