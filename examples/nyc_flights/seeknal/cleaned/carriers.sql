/*
---
description: Airlines by their short names
tags: [cleaned]
---
*/
SELECT
    carrier,
    regexp_replace(name, '( Air ?[Ll]ines)?( Inc\.| Co\.| Corporation)?$', '') AS airline
FROM ref('source.airlines')
