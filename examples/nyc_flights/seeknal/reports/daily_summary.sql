/*
---
description: Each day at a glance
tags: [report]
columns:
  delayed: Share of flights that arrived late, in percent
  worst_airline: The one that was latest on average, of those with ten flights or more
  weather: The worst of the day
---
*/
WITH traffic AS (
    SELECT
        day,
        count(*) AS flights,
        count(*) FILTER (cancelled) AS cancelled,
        round(100 * avg(delayed::int), 1) AS delayed,
        max(gust) AS gust,
        min(visibility) AS visibility
    FROM ref('transform.weather_at_departure')
    GROUP BY day
),

worst AS (
    SELECT
        day,
        arg_max(airline, (mean_delay, airline)) AS airline,
        max(mean_delay) AS mean_delay
    FROM ref('transform.airline_days')
    WHERE flights >= 10
    GROUP BY day
)

SELECT
    strftime(day, '%a %b %d') AS day,
    flights,
    cancelled,
    delayed,
    format('{} (+{:.0f} min)', worst.airline, worst.mean_delay) AS worst_airline,
    format('gusts {:.0f} mph, visibility {:.1f} mi', gust, visibility) AS weather
FROM traffic
LEFT JOIN worst USING (day)
ORDER BY traffic.day
