"""Hooks: what a spider lets others see and change on the way of each request, and some that are ready to use."""

from scrapekit.hooks.ready import BanRules, RenewLogin, RotateUserAgents
from scrapekit.hooks.runner import GROUP, Hooks

__all__ = ["GROUP", "BanRules", "Hooks", "RenewLogin", "RotateUserAgents"]
