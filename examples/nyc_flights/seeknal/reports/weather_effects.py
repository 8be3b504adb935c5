from functools import reduce

from seeknal.pipeline import transform

BAD_WEATHER = {
    "rain": "rain >= 0.1",
    "gusts": "gust >= 35",
    "fog": "visibility < 1",
    "frost": "temperature < 20",
}


@transform(description="What bad weather costs, in delays and cancellations", tags=["report"])
def weather_effects(ctx):
    flights = ctx.ref("transform.weather_at_departure")
    good = f"NOT ({' OR '.join(BAD_WEATHER.values())})"
    kinds = {**BAD_WEATHER, "none": good}
    effects = [effect(flights, kind, when) for kind, when in kinds.items()]
    return reduce(lambda one, other: one.union(other), effects).order(
        "cancelled_pct DESC, bad_weather"
    )


def effect(flights, kind, when):
    return flights.filter(when).aggregate(
        f"""
        '{kind}' AS bad_weather,
        count(*) AS flights,
        round(100 * avg(cancelled::INT), 1) AS cancelled_pct,
        round(100 * avg(delayed::INT), 1) AS delayed_pct,
        round(avg(dep_delay), 1) AS mean_delay
        """
    )
