"""What several methods share: schedules, attention, U-Nets, diffusion. Import the module you need."""
