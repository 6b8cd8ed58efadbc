// Tables that can be sorted by their heads and filtered by what is typed; they stay tables where scripts don't run.
document.documentElement.classList.add("scripted");
for (const table of document.querySelectorAll("table[data-sorted]")) {
  const none = { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null };
  const sorted = new DataTable(table, { paging: false, info: false, autoWidth: false, order: [], layout: none });
  const filter = document.getElementById(`${table.id}-filter`);
  const found = document.getElementById(`${table.id}-found`);
  filter.addEventListener("input", () => {
    sorted.search(filter.value).draw();
    found.textContent = filter.value && `${sorted.rows({ search: "applied" }).count()} of ${sorted.rows().count()}`;
  });
}
