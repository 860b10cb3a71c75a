"""An accept rule of one's own, from the panel's valid reviews to a verdict."""


def unanimous(reviews):
    return all(review.score >= 4 for review in reviews)
