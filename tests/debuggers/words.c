/* Words of page tables in a program, in types like those of kernels. */

typedef struct { unsigned long pte; } pte_t;
typedef struct { unsigned long pmd; } pmd_t;
typedef union { unsigned long pgd; unsigned int halves[2]; } pgd_t;
typedef struct { pgd_t pgd; } p4d_t;
typedef struct { unsigned long pud; } pud_t;
typedef struct { unsigned long val; } swp_entry_t;
typedef swp_entry_t softleaf_t;
struct fault { pte_t orig_pte; pmd_t *pmd; };
struct pair { unsigned long first, second; };
struct halves { unsigned int first, second; };

struct { struct { char sysname[65], nodename[65], release[65]; } name; } init_uts_ns = {
	{ "Linux", "(none)", "7.3.4" }
};

pte_t pte = { 0x0ffffffffffe180eUL };
const pte_t empty = { 0 };
pmd_t pmds[2] = { { 0xd7ffefffff47fe04UL }, { 0x8000000012e001e7UL } };
pud_t pud = { 0x102067UL };
p4d_t p4d = { { 0x103067UL } };
swp_entry_t entry = { 0x0400000000000123UL };
softleaf_t leaf = { 0x78000000000f0000UL };
struct pair pair = { 1, 2 };
struct halves halves = { 1, 2 };
pgd_t pgd = { 0x104067UL };

static unsigned long look(struct fault *vmf)
{
	return vmf->orig_pte.pte + vmf->pmd->pmd;
}

int main(void)
{
	struct fault fault = { pte, &pmds[0] };

	return look(&fault) == 0;
}
