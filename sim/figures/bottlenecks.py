def draw(run, folder):
    return []
