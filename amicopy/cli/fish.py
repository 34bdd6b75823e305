"""Tab completion for fish, whose words may contain commas: imported only when fish asks."""

from click.shell_completion import CompletionItem, FishComplete, add_completion_class

_FISH = """\
function %(complete_func)s
    for completion in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
            %(prog_name)s)
        set -l parts (string split --max 1 "," $completion)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class CommaFish(FishComplete):
    """fish's completion, of words that may contain commas: click's own ends each word at the first one."""

    source_template = _FISH

    def format_completion(self, item: CompletionItem) -> str:
        """Return what the script above reads: the type, a comma, and the word with its description behind a tab."""
        first_line = (item.help or "").partition("\n")[0]
        return f"{item.type},{item.value}\t{first_line}" if first_line else f"{item.type},{item.value}"


add_completion_class(CommaFish)
