/*
---
description: Departures with the weather of their hour
tags: [cleaned]
---
*/
SELECT
    departures.*,
    weather.temperature,
    weather.rain,
    weather.visibility,
    weather.gust
FROM ref('transform.departures') AS departures
LEFT JOIN ref('transform.hourly_weather') AS weather
    USING (origin, time_hour)
