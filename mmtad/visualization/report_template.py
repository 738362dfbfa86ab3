"""The page of a diagnosis: one file, no script, no address of another."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1.5rem 1.2rem 3rem; max-width: 76rem; background: #fff;
  color: #1a1a1a; font: 15px/1.5 "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.55rem; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; padding-top: .7rem; border-top: 1px solid #bbb; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .3rem 0 .7rem; max-width: 56rem; }
nav a { margin-right: 1.1em; color: #00528a; }
figure { margin: .8rem 0; }
figure img { max-width: 100%; height: auto; }
.tables { display: flex; flex-wrap: wrap; gap: .4rem 2.2rem; align-items: flex-start; }
.tables > div { max-width: 100%; overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums;
  margin: .2rem 0 .8rem; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { padding: .16rem .6rem; text-align: right; white-space: nowrap; vertical-align: bottom; }
th { border-bottom: 1.5px solid #555; font-weight: 600; }
td { border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
th.group { white-space: normal; max-width: 16rem; overflow-wrap: anywhere; text-align: center;
  border-bottom: 1px solid #999; }
tr > th[colspan]:first-child { border-bottom: none; }
footer { margin-top: 2.5rem; border-top: 1px solid #bbb; color: #444; font-size: .84rem; }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  nav { display: none; }
  h2 { break-after: avoid; }
  figure, table { break-inside: avoid; }
}
</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<nav>{% for section in sections %}<a href="#s{{ loop.index }}">{{ section.title }}</a>
{% endfor %}</nav>
</header>
<main>
{% for section in sections %}
<section id="s{{ loop.index }}">
<h2>{{ section.title }}</h2>
<p>{{ section.text }}</p>
{% if section.image %}<figure><img alt="{{ section.title }}"
src="data:image/png;base64,{{ section.image }}"></figure>{% endif %}
<div class="tables">
{% for table in section.tables %}
<div><table>
<caption>{{ table.caption }}</caption>
<thead>
{% if table.groups %}<tr>{% for name, span in table.groups %}<th colspan="{{ span }}"
{% if name %} class="group" scope="colgroup"{% endif %}>{{ name }}</th>{% endfor %}</tr>
{% endif %}
<tr>{% for cell in table.header %}<th scope="col">{{ cell }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table></div>
{% endfor %}
</div>
</section>
{% endfor %}
</main>
<footer><p>{{ footer }}</p></footer>
</body>
</html>
"""
