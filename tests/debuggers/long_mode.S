# 64 KiB of firmware for QEMU's microvm: into long mode, with page tables whose root is at ROOT, and there it waits.
# CR4 and ROOT are given to the assembler.
    .code16
    .globl _start
_start:
    cli
    lgdtl %cs:gdt_pointer - _start
    mov $CR4, %eax
    mov %eax, %cr4
    mov $ROOT, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x900, %eax
    wrmsr
    mov $0x80000001, %eax
    mov %eax, %cr0
    ljmpl $8, $(0xffff0000 + wait - _start)
    .code64
wait:
    nop
    jmp wait
    .balign 8
gdt:
    .quad 0, 0x00209a0000000000
gdt_pointer:
    .word 15
    .long 0xffff0000 + gdt - _start
    .org 0xfff0
    .code16
    jmp _start
    .org 0x10000
