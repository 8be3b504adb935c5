/*
---
description: Each day at a glance
owner: network-planning
tags: [report]
columns:
  delayed_pct: Of the flights that arrived, how many were delayed
  worst_airline: The latest on average, of those with ten arrivals or more
  worst_route: The latest on average, of those with five arrivals or more
  gust: The strongest wind at a departure, in miles an hour
  visibility: The worst at a departure, in miles
---
*/
WITH days AS (
    SELECT
        day,
        count(*) AS flights,
        count(*) FILTER (cancelled) AS cancelled,
        {{ transformations.delayed_pct }} AS delayed_pct,
        round(max(gust))::INT AS gust,
        min(visibility) AS visibility
    FROM ref('transform.weather_at_departure')
    GROUP BY day
),

worst_airlines AS (
    SELECT DISTINCT ON (day) day, airline AS worst_airline
    FROM ref('transform.airline_days')
    WHERE arrived >= 10
    ORDER BY day, mean_delay DESC, airline
),

worst_routes AS (
    SELECT DISTINCT ON (day) day, route AS worst_route
    FROM ref('transform.route_days')
    WHERE arrived >= 5
    ORDER BY day, mean_delay DESC, route
)

SELECT day, flights, cancelled, delayed_pct, worst_airline, worst_route, gust, visibility
FROM days
LEFT JOIN worst_airlines USING (day)
LEFT JOIN worst_routes USING (day)
ORDER BY day
