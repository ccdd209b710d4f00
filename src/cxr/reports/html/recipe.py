"""What a run was trained with: what differs from the defaults first, everything folded."""

from __future__ import annotations

from cxr.config.fields import find_changed_fields, flatten_config
from cxr.config.load import PATH_FIELDS
from cxr.plain_text import count
from cxr.reports.html.blocks import Facts, Folded, Section, Table, Text
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import show_value


def describe_recipe(records: RunRecords) -> Section:
    """Return the section."""
    # Where data lay is a place on somebody's machine, and no part of the recipe.
    places = {".".join(map(str, path)) for path in PATH_FIELDS}
    fields = {
        name: value for name, value in flatten_config(records.config).items() if name not in places
    }
    changed = [name for name in find_changed_fields(records.config) if name in fields]
    affecting = records.manifest["config"]["recipe"]
    rows = [
        [name, show_value(fields[name]), "yes" if name in affecting else "no"] for name in changed
    ]
    defaults = [(name, show_value(value)) for name, value in fields.items() if name not in changed]
    return Section(
        name="recipe",
        title="Recipe",
        blocks=[
            Text(text=f"{count(len(changed), 'field')} that are not at their default:"),
            Table(
                caption="Fields that were set",
                header=["Field", "Value", "Affects bits here"],
                rows=rows,
                numeric=False,
            ),
            Folded(
                summary=f"{count(len(defaults), 'field')} at their default",
                blocks=[Facts(facts=defaults)],
            ),
        ],
    )
