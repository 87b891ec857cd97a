"""The networks, each made for small images and wrapped so that it takes raw ones."""
