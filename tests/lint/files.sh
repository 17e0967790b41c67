# Sourced: the files of the project, one a line, paths from the root.
# shellcheck shell=sh

project_files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -co --exclude-standard
    else
        find . \( -name .git -o -path ./build -o -name '.?*_cache' -o -name __pycache__ \) -prune -o -type f -print |
            sed 's|^\./||'
    fi | grep -v '^pgsleuth-report/' | sort -u | while IFS= read -r file; do
        # git still lists what was deleted but not committed.
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done
}

# shell_files: by name, or by the first line where the name says nothing.
shell_files() {
    project_files | while IFS= read -r file; do
        case ${file##*/} in
        *.sh) printf '%s\n' "$file" ;;
        *.*) ;;
        *)
            case $(head -n 1 "$file" | tr -d '\0') in
            '#!'*sh) printf '%s\n' "$file" ;;
            esac
            ;;
        esac
    done
}
