"""railyard job"""

from railyard.cli.groups import group
from railyard.cli.tree import JOB

job = group("job", JOB, "Jobs. Name one by its id, a unique prefix, @last, @mine, or the address of its page.")
