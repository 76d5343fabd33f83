//! What an instruction of x86-64 costs others: told from its first bytes.
//!
//! This is no disassembler. It skips the prefixes and looks at the opcode, far enough to tell the few
//! instructions that are counted from all others.

/// What an instruction is counted as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Nothing in particular.
    Plain,
    /// A locked read-modify-write: a LOCK prefix, or an exchange with memory, which locks without one.
    Locked,
    /// A full fence: MFENCE, or a locked OR of zero to the stack, which compilers use in its place.
    Fence,
    /// A system call.
    Syscall,
    /// A repeated string instruction, which traps once for each repetition.
    Repeated,
}

/// Tells what the instruction at the beginning of `code` is.
pub(crate) fn kind(code: &[u8]) -> Kind {
    let (mut locked, mut repeated) = (false, false);
    let mut rest = code;
    while let [first, tail @ ..] = rest {
        match first {
            0xf0 => locked = true,
            0xf2 | 0xf3 => repeated = true,
            // Segments, operand and address size, REX.
            0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0x40..=0x4f => {}
            _ => break,
        }
        rest = tail;
    }
    match rest {
        // or dword [rsp + offset], 0
        [0x83, 0x0c | 0x4c | 0x8c, 0x24, ..] if locked => Kind::Fence,
        _ if locked => Kind::Locked,
        [0x86 | 0x87, modrm, ..] if *modrm < 0xc0 => Kind::Locked,
        [0x0f, 0xae, 0xf0..=0xf7, ..] => Kind::Fence,
        [0x0f, 0x05, ..] => Kind::Syscall,
        // ins, outs, movs, cmps, stos, lods, scas
        [0x6c..=0x6f | 0xa4..=0xa7 | 0xaa..=0xaf, ..] if repeated => Kind::Repeated,
        _ => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};

    #[test]
    fn locked_instructions_are_told_from_plain_ones() {
        let check = |code: &[u8], expected| assert_eq!(kind(code), expected, "{code:02x?}");
        check(&[0xf0, 0x48, 0x0f, 0xb1, 0x0f], Kind::Locked); // lock cmpxchg [rdi], rcx
        check(&[0xf0, 0xff, 0x0f], Kind::Locked); // lock dec dword [rdi]
        check(&[0x3e, 0xf0, 0x48, 0x0f, 0xc1, 0x07], Kind::Locked); // ds lock xadd [rdi], rax
        check(&[0x48, 0x87, 0x07], Kind::Locked); // xchg [rdi], rax
        check(&[0x48, 0x87, 0xc7], Kind::Plain); // xchg rdi, rax
        check(&[0xf0, 0x83, 0x0c, 0x24, 0x00], Kind::Fence); // lock or dword [rsp], 0
        check(&[0xf0, 0x83, 0x4c, 0x24, 0xc0, 0x00], Kind::Fence); // lock or dword [rsp - 64], 0
        check(&[0xf0, 0x83, 0x08, 0x20], Kind::Locked); // lock or dword [rax], 32
        check(&[0x0f, 0xae, 0xf0], Kind::Fence); // mfence
        check(&[0x0f, 0xae, 0xe8], Kind::Plain); // lfence
        check(&[0x0f, 0x05], Kind::Syscall);
        check(&[0xf3, 0x48, 0xab], Kind::Repeated); // rep stosq
        check(&[0xf3, 0x0f, 0x10, 0x07], Kind::Plain); // movss
        check(&[0xf3, 0x0f, 0x1e, 0xfa], Kind::Plain); // endbr64
        check(&[0x48, 0x89, 0x07], Kind::Plain); // mov [rdi], rax
        check(&[], Kind::Plain);
    }
}
