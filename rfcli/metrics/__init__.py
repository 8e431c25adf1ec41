"""How different two images are: PSNR, SSIM, LPIPS, HDR-FLIP, and the scales they are measured on."""
